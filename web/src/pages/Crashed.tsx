import { Notice } from "../components/states";

/** A page has failed, or a part of it could not be fetched: after a new version was put up, say. */
export function Crashed() {
  return (
    <div className="narrow">
      <title>Something went wrong · Admit One</title>
      <Notice tone="error" title="This page could not be shown.">
        <p>Load it again. If that does not help, come back in a while.</p>
        <button type="button" onClick={() => window.location.reload()}>
          Load again
        </button>
      </Notice>
    </div>
  );
}
