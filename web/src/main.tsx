import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router/dom";
import { skipCache } from "./api/client";
import { newQueryClient } from "./api/queries";
import { applyUser, refetchUserOnReturn } from "./api/session";
import { onTabMessage } from "./api/tabs";
import { prefetchOnIntent } from "./prefetch";
import { newRouter, ROUTES } from "./routes";
import "./styles.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

const client = newQueryClient();
onTabMessage((message) => {
  if (message.kind === "user") applyUser(client, message.user, message.isSignOut);
  else {
    skipCache();
    void client.invalidateQueries();
  }
});
refetchUserOnReturn(client, root);
prefetchOnIntent(ROUTES);

// Replaces the shell of index.html.
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={newRouter()} />
    </QueryClientProvider>
  </StrictMode>,
);
