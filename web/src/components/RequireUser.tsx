import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { currentUser } from "../api/session";
import { signInPath } from "../rules/returnPath";
import { Failed, Loading } from "./states";
import { SignedIn } from "./user";

/** Lets only those in who are signed in; the others come back here once they are. */
export function RequireUser() {
  const user = useQuery(currentUser);
  const { pathname, search } = useLocation();
  const wasIn = useRef(false);
  if (user.isPending) return <Loading />;
  if (user.data === undefined) return <Failed query={user} />;
  if (user.data === null) {
    const state = { hasEnded: wasIn.current };
    return <Navigate to={signInPath(pathname + search)} state={state} replace />;
  }
  wasIn.current = true;
  return (
    <SignedIn user={user.data}>
      <Outlet />
    </SignedIn>
  );
}
