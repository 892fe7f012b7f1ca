import { useLayoutEffect } from "react";

const SITE = "Admit One";

/** Sets the title of the browser's tab while it is rendered. */
export function Title({ text }: { text: string }) {
  useLayoutEffect(() => {
    document.title = `${text} · ${SITE}`;
    return () => {
      document.title = SITE;
    };
  }, [text]);
  return null;
}
