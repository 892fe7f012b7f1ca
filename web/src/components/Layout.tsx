import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import {
  Link,
  NavLink,
  Outlet,
  ScrollRestoration,
  useLocation,
  useNavigate,
  useNavigation,
} from "react-router";
import { useSignOut } from "../api/mutations";
import { currentUser } from "../api/session";
import { signInPath } from "../rules/returnPath";
import { OfflineBar } from "./OfflineBar";
import { VerifyBanner } from "./VerifyBanner";

/** The frame of every page. index.html has the same markup, which is painted before this is loaded. */
export function Layout() {
  const isNavigating = useNavigation().state !== "idle";
  const main = useRef<HTMLElement>(null);
  useFocusOnNewPage(main);
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="masthead">
        <Link to="/" className="brand">
          <span aria-hidden="true">Admit</span>
          <span aria-hidden="true">One</span>
          <span className="visually-hidden">Admit One, tickets on sale</span>
        </Link>
        <nav aria-label="Main">
          <NavLink to="/" end>
            On sale
          </NavLink>
          <NavLink to="/sell">Sell</NavLink>
          <NavLink to="/selling">My tickets</NavLink>
          <NavLink to="/orders">My orders</NavLink>
          <NavLink to="/payouts">Get paid</NavLink>
        </nav>
        <Account />
      </header>
      <OfflineBar />
      <VerifyBanner />
      <main id="main" ref={main} tabIndex={-1} aria-busy={isNavigating}>
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

/** The signed-in user, or a link to sign in. Empty until the user is known. */
function Account() {
  const { data: user } = useQuery(currentUser);
  const { pathname, search } = useLocation();
  const navigate = useNavigate();
  const signOut = useSignOut();
  if (user === undefined) return <div className="account" />;
  if (user === null) {
    const current = pathname === "/signin" || pathname === "/signup" ? "/" : pathname + search;
    return (
      <div className="account">
        <Link to={signInPath(current)}>Sign in</Link>
      </div>
    );
  }
  const leaveAndSignOut = async () => {
    // Leave private pages first, because without a user they redirect to the sign-in page. `flushSync` renders the new
    // page before the call; a transition could render it after the response.
    await navigate("/", { flushSync: true });
    signOut.mutate();
  };
  return (
    <div className="account">
      <Link to="/account" className="who" dir="auto" title={user.email}>
        {user.email}
      </Link>
      <button
        type="button"
        className="link"
        onClick={() => void leaveAndSignOut()}
        disabled={signOut.isPending}
      >
        {signOut.isError ? "Sign out again" : "Sign out"}
      </button>
    </div>
  );
}

/** Moves the focus to the content of a new page, so that keyboard and screen-reader users start at its top. */
function useFocusOnNewPage(main: React.RefObject<HTMLElement | null>): void {
  const { pathname } = useLocation();
  const last = useRef(pathname);
  useEffect(() => {
    if (last.current === pathname) return;
    last.current = pathname;
    main.current?.focus({ preventScroll: true });
  }, [pathname, main]);
}
