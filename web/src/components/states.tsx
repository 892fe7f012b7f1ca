/** The states of every page: loading, failed, out of date. */

import type { ReactNode } from "react";
import { explain } from "../api/errors";

interface Query {
  error: unknown;
  isError: boolean;
  isFetching: boolean;
  refetch: () => Promise<unknown>;
}

/** A loading indicator. It appears after a delay (in CSS), so that short waits do not flicker. */
export function Loading() {
  return (
    <div className="loading" role="status">
      <span className="visually-hidden">Loading</span>
      <span aria-hidden="true" />
      <span aria-hidden="true" />
      <span aria-hidden="true" />
    </div>
  );
}

const SKELETON_TICKETS = ["a", "b", "c", "d", "e", "f"];

/** The list of tickets on sale with its search, as blank shapes of about their size. index.html has the same markup. */
export function Skeleton() {
  return (
    <div className="skeleton" role="status">
      <span className="visually-hidden">Loading</span>
      <span aria-hidden="true" />
      {SKELETON_TICKETS.map((key) => (
        <span key={key} aria-hidden="true" />
      ))}
    </div>
  );
}

/** Shown instead of data that could not be loaded. */
export function Failed({ query }: { query: Query }) {
  const { title, advice } = explain(query.error);
  return (
    <Notice tone="error" title={title}>
      <p>{advice}</p>
      <button type="button" onClick={() => void query.refetch()} disabled={query.isFetching}>
        {query.isFetching ? "Trying again" : "Try again"}
      </button>
    </Notice>
  );
}

/** Shown above data that could not be refetched. */
export function OutOfDate({ query }: { query: Query }) {
  if (!query.isError) return null;
  const { title } = explain(query.error);
  return (
    <Notice tone="plain" title={`${title}. This may be out of date.`}>
      <button type="button" onClick={() => void query.refetch()} disabled={query.isFetching}>
        {query.isFetching ? "Trying again" : "Try again"}
      </button>
    </Notice>
  );
}

/** Shown above a form whose call has failed, for an error that the page does not explain itself. */
export function ErrorNotice({ error }: { error: unknown }) {
  const { title, advice } = explain(error);
  return (
    <Notice tone="error" title={title}>
      <p>{advice}</p>
    </Notice>
  );
}

interface NoticeProps {
  tone: "error" | "plain" | "good";
  title: string;
  children?: ReactNode;
}

/** A message that screen readers announce when it appears. */
export function Notice(props: NoticeProps) {
  return <NoticeBox {...props} role={props.tone === "error" ? "alert" : "status"} />;
}

/** A message without its own role, for use inside an existing live region. */
export function NoticeBox({ tone, title, children, role }: NoticeProps & { role?: "alert" | "status" }) {
  return (
    <div className={`notice ${tone}`} role={role}>
      <p className="notice-title">{title}</p>
      {children}
    </div>
  );
}
