import { Notice } from "../components/states";

/** Shown when a page throws an error or its chunk cannot be loaded, for example after a deployment. */
export function Crashed() {
  return (
    <div className="narrow">
      <title>Something went wrong · Admit One</title>
      <Notice tone="error" title="This page could not be shown.">
        <p>Reload the page. If that does not help, please try again later.</p>
        <button type="button" onClick={() => window.location.reload()}>
          Reload
        </button>
      </Notice>
    </div>
  );
}
