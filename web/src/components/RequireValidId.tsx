import { Outlet, useParams } from "react-router";
import { NotFound } from "../pages/NotFound";
import { isId } from "../rules/id";

/** Renders the route only if its id is valid. With a word such as "mine", a call would address another API route. */
export function RequireValidId({ what }: { what: "ticket" | "order" }) {
  return isId(useParams().id ?? "") ? <Outlet /> : <NotFound what={what} />;
}
