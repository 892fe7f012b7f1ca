import { useEffect, useRef } from "react";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import "swagger-ui-dist/swagger-ui.css";
import document from "../../../docs/openapi.json";
import "./docs.css";

/** The API's document, to read and to try. Its calls carry the reader's own session. */
export function Docs() {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    SwaggerUI({
      domNode: place.current,
      spec: document,
      defaultModelsExpandDepth: 0,
      docExpansion: "list",
      syntaxHighlight: false,
      tryItOutEnabled: true,
      validatorUrl: null,
    });
  }, []);
  return (
    <div className="docs">
      <title>API · Admit One</title>
      <h1>The API</h1>
      <div ref={place} />
    </div>
  );
}
