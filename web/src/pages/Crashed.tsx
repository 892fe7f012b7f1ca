import { Notice } from "../components/states";
import { Title } from "../components/Title";

/** Shown when a page throws an error or its chunk cannot be loaded, for example after a deployment. */
export function Crashed() {
  return (
    <div className="narrow">
      <Title text="Something went wrong" />
      <Notice tone="error" title="This page could not be shown.">
        <p>Reload the page. If that does not help, please try again later.</p>
        <button type="button" onClick={() => window.location.reload()}>
          Reload
        </button>
      </Notice>
    </div>
  );
}
