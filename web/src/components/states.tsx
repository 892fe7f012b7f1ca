/** The states that every page has: loading, failed, out of date. */

import type { ReactNode } from "react";
import { explain } from "../api/errors";

interface Query {
  error: unknown;
  isError: boolean;
  isFetching: boolean;
  refetch: () => Promise<unknown>;
}

/** Shows itself only after a moment (in CSS), so that what is quick does not flicker. */
export function Loading() {
  return (
    <div className="loading" role="status">
      <span className="unseen">Loading</span>
      <span aria-hidden="true" />
      <span aria-hidden="true" />
      <span aria-hidden="true" />
    </div>
  );
}

/** There is nothing to show, because it could not be read. */
export function Failed({ query }: { query: Query }) {
  const { title, advice } = explain(query.error);
  return (
    <Notice tone="error" title={title}>
      <p>{advice}</p>
      <button type="button" onClick={() => void query.refetch()} disabled={query.isFetching}>
        {query.isFetching ? "Trying" : "Try again"}
      </button>
    </Notice>
  );
}

/** There is something to show, but it could not be read anew. */
export function OutOfDate({ query }: { query: Query }) {
  if (!query.isError) return null;
  const { title } = explain(query.error);
  return (
    <Notice tone="plain" title={`${title}. This may be out of date.`}>
      <button type="button" onClick={() => void query.refetch()} disabled={query.isFetching}>
        {query.isFetching ? "Trying" : "Try again"}
      </button>
    </Notice>
  );
}

interface Words {
  tone: "error" | "plain" | "good";
  title: string;
  children?: ReactNode;
}

/** Something to know, said aloud when it appears. */
export function Notice(words: Words) {
  return <Said {...words} role={words.tone === "error" ? "alert" : "status"} />;
}

/** The same inside an element that was there before and says aloud what changes in it. */
export function Said({ tone, title, children, role }: Words & { role?: "alert" | "status" }) {
  return (
    <div className={`notice ${tone}`} role={role}>
      <p className="notice-title">{title}</p>
      {children}
    </div>
  );
}
