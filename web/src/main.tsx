import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router/dom";
import { newQueryClient } from "./api/queries";
import { checkUserOnReturn, follow } from "./api/session";
import { listenToOtherTabs } from "./api/tabs";
import { newRouter } from "./routes";
import "./styles.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

const client = newQueryClient();
listenToOtherTabs((message) => {
  if (message.kind === "user") follow(client, message.user, message.isSignOut);
  else void client.invalidateQueries();
});
checkUserOnReturn(client, root);

createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={newRouter()} />
    </QueryClientProvider>
  </StrictMode>,
);
