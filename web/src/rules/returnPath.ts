/** Where to go after signing in: a path of this client, and nothing that a link from elsewhere could make of it. */
export function returnPath(asked: string | null): string {
  if (asked === null || !asked.startsWith("/")) return "/";
  const url = new URL(asked, "https://admit.one");
  if (url.origin !== "https://admit.one" || ["/signin", "/signup"].includes(url.pathname)) return "/";
  return url.pathname + url.search + url.hash;
}

/** The way to a page for signing in or up, and back to here. */
export function signInPath(here: string, page: "/signin" | "/signup" = "/signin"): string {
  return here === "/" ? page : `${page}?next=${encodeURIComponent(here)}`;
}
