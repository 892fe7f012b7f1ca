import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Link, NavLink, Outlet, ScrollRestoration, useLocation, useNavigate } from "react-router";
import { useSignOut } from "../api/changes";
import { currentUser } from "../api/session";
import { signInPath } from "../rules/returnPath";
import { OfflineBar } from "./OfflineBar";

export function Layout() {
  const main = useRef<HTMLElement>(null);
  useFocusOnNewPage(main);
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="masthead">
        <Link to="/" className="brand">
          <span aria-hidden="true">Admit</span>
          <span aria-hidden="true">One</span>
          <span className="unseen">Admit One, tickets on sale</span>
        </Link>
        <nav aria-label="Main">
          <NavLink to="/" end>
            On sale
          </NavLink>
          <NavLink to="/sell">Sell</NavLink>
          <NavLink to="/selling">My tickets</NavLink>
          <NavLink to="/orders">My orders</NavLink>
        </nav>
        <Account />
      </header>
      <OfflineBar />
      <main id="main" ref={main} tabIndex={-1}>
        <Outlet />
      </main>
      <footer>
        <p>Every ticket sells exactly once.</p>
        <Link to="/docs">API</Link>
      </footer>
      <ScrollRestoration />
    </>
  );
}

/** Who is signed in. Shows nothing until that is known. */
function Account() {
  const { data: user } = useQuery(currentUser);
  const { pathname, search } = useLocation();
  const navigate = useNavigate();
  const signOut = useSignOut();
  if (user === undefined) return <div className="account" />;
  if (user === null) {
    const here = pathname === "/signin" || pathname === "/signup" ? "/" : pathname + search;
    return (
      <div className="account">
        <Link to={signInPath(here)}>Sign in</Link>
      </div>
    );
  }
  const leave = async () => {
    // First away from what only this user may see, or it would ask to sign in again.
    await navigate("/");
    signOut.mutate();
  };
  return (
    <div className="account">
      <span className="who" dir="auto" title={user.email}>
        {user.email}
      </span>
      <button type="button" className="link" onClick={() => void leave()} disabled={signOut.isPending}>
        {signOut.isError ? "Sign out again" : "Sign out"}
      </button>
    </div>
  );
}

/** Whoever moves to another page by keyboard or screen reader starts at its top, not at the link that they left. */
function useFocusOnNewPage(main: React.RefObject<HTMLElement | null>): void {
  const { pathname } = useLocation();
  const last = useRef(pathname);
  useEffect(() => {
    if (last.current === pathname) return;
    last.current = pathname;
    main.current?.focus({ preventScroll: true });
  }, [pathname, main]);
}
