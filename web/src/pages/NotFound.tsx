import { Link } from "react-router";

export function NotFound({ what = "page" }: { what?: "page" | "ticket" | "order" }) {
  return (
    <div className="empty">
      <title>Not found · Admit One</title>
      <h1>There is no such {what}</h1>
      <p>
        {what === "order"
          ? "The link may be incomplete, or the order belongs to another account."
          : "The link may be incomplete or out of date."}
      </p>
      <Link className="button" to="/">
        See what is on sale
      </Link>
    </div>
  );
}
