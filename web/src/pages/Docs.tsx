import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import SwaggerUI, { type Plugin } from "swagger-ui-dist/swagger-ui-es-bundle.js";
import openapi from "../../../docs/openapi.json";
import { checkUser, currentUser } from "../api/session";
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
  const client = useQueryClient();
  const place = useRef<HTMLDivElement>(null);
  const isOwnDoing = useRef(false);
  const visit = useVisit(isOwnDoing);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each visit begins with a page on which nothing was tried
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
      responseInterceptor: (response) => {
        if (response.url.includes("/api/users/sign")) {
          isOwnDoing.current = true;
          void checkUser(client);
        }
        return response;
      },
    });
    const observer = new MutationObserver(() => mend(root));
    observer.observe(root, { childList: true, subtree: true });
    return () => observer.disconnect();
  }, [visit, client]);
  return (
    <div className="docs">
      <title>API · Admit One</title>
      <h1>The API</h1>
      {openapi.info.description.split("\n\n").map((paragraph) => (
        <p key={paragraph}>{paragraph.replaceAll("`", "")}</p>
      ))}
      <p>What you try here is done as the user who is signed in.</p>
      <h2>Calls</h2>
      <div key={visit} ref={place} className="swagger-ui" />
    </div>
  );
}

/** Counts up when somebody else is signed in, so that answers which the last user got are gone; not by what is tried here. */
function useVisit(isOwnDoing: { current: boolean }): number {
  const { data: user } = useQuery(currentUser);
  const last = useRef<string | null | undefined>(undefined);
  const [visit, setVisit] = useState(0);
  useEffect(() => {
    if (user === undefined) return;
    const before = last.current;
    last.current = user?.id ?? null;
    if (before === undefined || before === last.current) return;
    if (!isOwnDoing.current) setVisit((number) => number + 1);
    isOwnDoing.current = false;
  }, [user, isOwnDoing]);
  return visit;
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
