/** Paths of this client's pages: words and ids between single slashes, nothing that is read in two ways. */
const PAGE = /^\/([\w-]+(\/[\w-]+)*)?$/;

/** Where to go after signing in: a path of this client, and nothing that a link from elsewhere could make of it. */
export function returnPath(asked: string | null): string {
  if (!asked?.startsWith("/") || !URL.canParse(asked, ORIGIN)) return "/";
  const { origin, pathname, search, hash } = new URL(asked, ORIGIN);
  if (origin !== ORIGIN || !PAGE.test(pathname) || ["/signin", "/signup"].includes(pathname)) return "/";
  return pathname + search + hash;
}

/** The way to a page for signing in or up, and back to here. */
export function signInPath(here: string, page: "/signin" | "/signup" = "/signin"): string {
  return here === "/" ? page : `${page}?next=${encodeURIComponent(here)}`;
}

const ORIGIN = "https://admit.one";
