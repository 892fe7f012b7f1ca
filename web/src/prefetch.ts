/** Loads the chunk of a page before its link is followed, so that the navigation does not wait for it. */

import { matchRoutes, type RouteObject } from "react-router";

/** Loads the chunks of the page at a path of this site. A failure is ignored: the navigation tries again. */
export function prefetch(routes: RouteObject[], path: string): void {
  for (const { route } of matchRoutes(routes, path) ?? []) {
    if (typeof route.lazy === "function") route.lazy().catch(() => {});
  }
}

/** Prefetches the page of each link that gets the pointer, a touch or the focus. */
export function prefetchOnIntent(routes: RouteObject[]): void {
  const onIntent = ({ target }: Event): void => {
    const link = target instanceof Element ? target.closest("a") : null;
    if (link?.origin === window.location.origin) prefetch(routes, link.pathname);
  };
  document.addEventListener("pointerover", onIntent); // a touch begins with it, too
  document.addEventListener("focusin", onIntent);
}
