import { createBrowserRouter, Navigate, type RouteObject } from "react-router";
import { Layout } from "./components/Layout";
import { RequireUser } from "./components/RequireUser";
import { RequireValidId } from "./components/RequireValidId";
import { Loading } from "./components/states";
import { Crashed } from "./pages/Crashed";
import { NotFound } from "./pages/NotFound";
import { OnSale } from "./pages/OnSale";
import { TicketPage } from "./pages/TicketPage";

/**
 * Visitors come to the tickets on sale and from there to a ticket. The other pages are separate chunks: `lazy` loads them
 * before the navigation, `prefetchOnIntent` before the click.
 */
export const ROUTES: RouteObject[] = [
  {
    Component: Layout,
    children: [
      {
        ErrorBoundary: Crashed,
        HydrateFallback: Loading,
        children: [
          { index: true, Component: OnSale },
          {
            path: "tickets/:id",
            element: <RequireValidId what="ticket" />,
            children: [
              { index: true, Component: TicketPage },
              {
                Component: RequireUser,
                children: [
                  {
                    path: "edit",
                    lazy: async () => ({ Component: (await import("./pages/EditTicket")).EditTicket }),
                  },
                ],
              },
            ],
          },
          {
            path: "orders/:id",
            element: <RequireValidId what="order" />,
            children: [
              {
                Component: RequireUser,
                children: [
                  {
                    index: true,
                    lazy: async () => ({ Component: (await import("./pages/OrderPage")).OrderPage }),
                  },
                ],
              },
            ],
          },
          { path: "signin", lazy: () => signIn("signin") },
          { path: "signup", lazy: () => signIn("signup") },
          { path: "forgot", lazy: async () => ({ Component: (await import("./pages/Forgot")).Forgot }) },
          { path: "reset", lazy: async () => ({ Component: (await import("./pages/Reset")).Reset }) },
          { path: "verify", lazy: async () => ({ Component: (await import("./pages/Verify")).Verify }) },
          { path: "deleted", lazy: async () => ({ Component: (await import("./pages/Deleted")).Deleted }) },
          // Password managers open this address: https://w3c.github.io/webappsec-change-password-url/
          { path: ".well-known/change-password", element: <Navigate to="/account" replace /> },
          {
            Component: RequireUser,
            children: [
              { path: "sell", lazy: async () => ({ Component: (await import("./pages/Sell")).Sell }) },
              {
                path: "selling",
                lazy: async () => ({ Component: (await import("./pages/Selling")).Selling }),
              },
              { path: "orders", lazy: async () => ({ Component: (await import("./pages/Orders")).Orders }) },
              {
                path: "payouts",
                lazy: async () => ({ Component: (await import("./pages/Payouts")).Payouts }),
              },
              {
                path: "account",
                lazy: async () => ({ Component: (await import("./pages/Account")).Account }),
              },
            ],
          },
          { path: "docs", lazy: async () => ({ Component: (await import("./pages/Docs")).Docs }) },
          { path: "*", Component: NotFound },
        ],
      },
    ],
  },
];

async function signIn(page: "signin" | "signup") {
  const { SignIn } = await import("./pages/SignIn");
  return { element: <SignIn key={page} page={page} /> };
}

export function newRouter() {
  return createBrowserRouter(ROUTES);
}
