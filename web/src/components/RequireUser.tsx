import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { currentUser } from "../api/session";
import { signInPath } from "../rules/returnPath";
import { Failed, Loading } from "./states";
import { SignedIn } from "./user";

/** Renders the route only for a signed-in user. Others are sent to the sign-in page, which returns here. */
export function RequireUser() {
  const user = useQuery(currentUser);
  const { pathname, search } = useLocation();
  const wasSignedIn = useRef(false);
  if (user.isPending) return <Loading />;
  if (user.data === undefined) return <Failed query={user} />;
  if (user.data === null) {
    const state = { hasEnded: wasSignedIn.current };
    return (
      <>
        <Loading />
        <Navigate to={signInPath(pathname + search)} state={state} replace />
      </>
    );
  }
  wasSignedIn.current = true;
  return (
    <SignedIn user={user.data}>
      <Outlet />
    </SignedIn>
  );
}
