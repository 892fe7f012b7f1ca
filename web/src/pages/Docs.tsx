import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import SwaggerUI, { type Plugin } from "swagger-ui-dist/swagger-ui-es-bundle.js";
import openapi from "../../../docs/openapi.json";
import { currentUser, refetchUser } from "../api/session";
import "./docs.css";
import { Title } from "../components/Title";

/**
 * A layout with the operations only. The choice of a server and authorisation are left out, because there is one server
 * and calls have the user's session cookie. Elements must be created with Swagger UI's own copy of React.
 */
const operationsOnly: Plugin = ({ React }) => ({
  components: {
    // biome-ignore lint/correctness/noComponentHookFactories: called once, by Swagger UI
    Operations: ({ getComponent }) => React.createElement(getComponent("operations", true)),
  },
});

/** The API's reference, in which calls can be tried. */
export function Docs() {
  const client = useQueryClient();
  const container = useRef<HTMLDivElement>(null);
  const isOwnSignIn = useRef(false);
  const session = useSessionNumber(isOwnSignIn);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new session starts with a fresh page
  useEffect(() => {
    const root = container.current;
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
          isOwnSignIn.current = true;
          void refetchUser(client);
        }
        return response;
      },
    });
    const observer = new MutationObserver(() => fixAccessibility(root));
    observer.observe(root, { childList: true, subtree: true });
    return () => observer.disconnect();
  }, [session, client]);
  return (
    <div className="docs">
      <Title text="API" />
      <h1>The API</h1>
      {openapi.info.description.split("\n\n").map((paragraph) => (
        <p key={paragraph}>{paragraph.replaceAll("`", "")}</p>
      ))}
      <p>Calls that you try here are made as the signed-in user.</p>
      <h2>Calls</h2>
      <div key={session} ref={container} className="swagger-ui" />
    </div>
  );
}

/**
 * Increments when the user changes, so that responses to the previous user disappear. A sign-in or sign-out that is tried
 * on this page does not count.
 */
function useSessionNumber(isOwnSignIn: { current: boolean }): number {
  const { data: user } = useQuery(currentUser);
  const last = useRef<string | null | undefined>(undefined);
  const [session, setSession] = useState(0);
  useEffect(() => {
    if (user === undefined) return;
    const before = last.current;
    last.current = user?.id ?? null;
    if (before === undefined || before === last.current) return;
    if (!isOwnSignIn.current) setSession((number) => number + 1);
    isOwnSignIn.current = false;
  }, [user, isOwnSignIn]);
  return session;
}

/** Adds what Swagger UI's markup lacks for screen readers and keyboards. */
function fixAccessibility(root: HTMLElement): void {
  for (const area of root.querySelectorAll("textarea:not([aria-label])")) {
    area.setAttribute("aria-label", "Request body");
  }
  // A region without a name is a useless landmark.
  for (const table of root.querySelectorAll('table[role="region"]')) table.removeAttribute("role");
  for (const text of root.querySelectorAll("pre:not([tabindex])")) text.setAttribute("tabindex", "0");
}
