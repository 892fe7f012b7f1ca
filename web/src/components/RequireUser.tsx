import { useQuery } from "@tanstack/react-query";
import { Navigate, Outlet, useLocation } from "react-router";
import { currentUser } from "../api/queries";
import { signInPath } from "../rules/returnPath";
import { Failed, Loading } from "./states";

/** Lets only those in who are signed in; the others come back here once they are. */
export function RequireUser() {
  const user = useQuery(currentUser);
  const { pathname, search } = useLocation();
  if (user.isPending) return <Loading />;
  if (user.data === undefined) return <Failed query={user} />;
  if (user.data === null) return <Navigate to={signInPath(pathname + search)} replace />;
  return <Outlet />;
}
