import { lazy, Suspense } from "react";
import { createBrowserRouter } from "react-router";
import { Layout } from "./components/Layout";
import { RequireUser } from "./components/RequireUser";
import { RequireValidId } from "./components/RequireValidId";
import { Loading } from "./components/states";
import { Crashed } from "./pages/Crashed";
import { EditTicket } from "./pages/EditTicket";
import { NotFound } from "./pages/NotFound";
import { OnSale } from "./pages/OnSale";
import { OrderPage } from "./pages/OrderPage";
import { Orders } from "./pages/Orders";
import { Sell } from "./pages/Sell";
import { Selling } from "./pages/Selling";
import { SignIn } from "./pages/SignIn";
import { TicketPage } from "./pages/TicketPage";

/** A separate chunk, because Swagger UI is several times larger than the rest of the client. */
const Docs = lazy(async () => ({ default: (await import("./pages/Docs")).Docs }));

export function newRouter() {
  return createBrowserRouter([
    {
      Component: Layout,
      children: [
        {
          ErrorBoundary: Crashed,
          children: [
            { index: true, Component: OnSale },
            {
              path: "tickets/:id",
              element: <RequireValidId what="ticket" />,
              children: [
                { index: true, Component: TicketPage },
                { Component: RequireUser, children: [{ path: "edit", Component: EditTicket }] },
              ],
            },
            {
              path: "orders/:id",
              element: <RequireValidId what="order" />,
              children: [{ Component: RequireUser, children: [{ index: true, Component: OrderPage }] }],
            },
            { path: "signin", element: <SignIn key="signin" page="signin" /> },
            { path: "signup", element: <SignIn key="signup" page="signup" /> },
            {
              Component: RequireUser,
              children: [
                { path: "sell", Component: Sell },
                { path: "selling", Component: Selling },
                { path: "orders", Component: Orders },
              ],
            },
            {
              path: "docs",
              element: (
                <Suspense fallback={<Loading />}>
                  <Docs />
                </Suspense>
              ),
            },
            { path: "*", Component: NotFound },
          ],
        },
      ],
    },
  ]);
}
