import { useEffect, useRef } from "react";
import SwaggerUI, { type Plugin } from "swagger-ui-dist/swagger-ui-es-bundle.js";
import openapi from "../../../docs/openapi.json";
import "./docs.css";

/**
 * The operations alone, and no second `<main>`: there is one server, and calls carry the reader's own session. Elements
 * are made with Swagger UI's own React, which is not ours.
 */
const operationsOnly: Plugin = ({ React }) => ({
  components: {
    // biome-ignore lint/correctness/noComponentHookFactories: called once, by Swagger UI
    Operations: ({ getComponent }) => React.createElement(getComponent("operations", true)),
  },
});

/** The API's document, to read and to try. */
export function Docs() {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const root = place.current;
    if (root === null) return;
    SwaggerUI({
      domNode: root,
      spec: openapi,
      docExpansion: "list",
      layout: "Operations",
      plugins: [operationsOnly],
      syntaxHighlight: false,
      tryItOutEnabled: true,
      validatorUrl: null,
    });
    const observer = new MutationObserver(() => mend(root));
    observer.observe(root, { childList: true, subtree: true });
    return () => observer.disconnect();
  }, []);
  return (
    <div className="docs">
      <title>API · Admit One</title>
      <h1>The API</h1>
      {openapi.info.description.split("\n\n").map((paragraph) => (
        <p key={paragraph}>{paragraph.replaceAll("`", "")}</p>
      ))}
      <p>What you try here is done as the user who is signed in.</p>
      <h2>Calls</h2>
      <div ref={place} className="swagger-ui" />
    </div>
  );
}

/** What Swagger UI leaves out for those who don't see the page, or don't use a mouse. */
function mend(root: HTMLElement): void {
  for (const area of root.querySelectorAll("textarea:not([aria-label])")) {
    area.setAttribute("aria-label", "Request body");
  }
  // A table that calls itself a region without a name is a landmark that leads nowhere.
  for (const table of root.querySelectorAll('table[role="region"]')) table.removeAttribute("role");
  for (const text of root.querySelectorAll("pre:not([tabindex])")) text.setAttribute("tabindex", "0");
}
