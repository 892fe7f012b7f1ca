/** Paths of this client's pages: words and ids between single slashes, so that every parser reads them the same way. */
const PAGE = /^\/([\w-]+(\/[\w-]+)*)?$/;

/** The path to open after sign-in. Anything but a path of this client's pages becomes "/" (no open redirect). */
export function returnPath(requested: string | null): string {
  if (!requested?.startsWith("/") || !URL.canParse(requested, ORIGIN)) return "/";
  const { origin, pathname, search, hash } = new URL(requested, ORIGIN);
  if (origin !== ORIGIN || !PAGE.test(pathname) || ["/signin", "/signup"].includes(pathname)) return "/";
  return pathname + search + hash;
}

/** The path of a sign-in or sign-up page that returns to `current` afterwards. */
export function signInPath(current: string, page: "/signin" | "/signup" = "/signin"): string {
  return current === "/" ? page : `${page}?next=${encodeURIComponent(current)}`;
}

const ORIGIN = "https://admit.one";
