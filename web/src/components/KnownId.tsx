import { Outlet, useParams } from "react-router";
import { NotFound } from "../pages/NotFound";
import { isId } from "../rules/id";

/** Lets only ids through: with another word in its place a call could be one for something else. */
export function KnownId({ what }: { what: "ticket" | "order" }) {
  return isId(useParams().id ?? "") ? <Outlet /> : <NotFound what={what} />;
}
