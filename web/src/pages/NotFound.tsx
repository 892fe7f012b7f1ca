import { Link } from "react-router";
import { Title } from "../components/Title";

const TITLES = { page: "Page not found", ticket: "Ticket not found", order: "Order not found" };

export function NotFound({ what = "page" }: { what?: "page" | "ticket" | "order" }) {
  return (
    <div className="empty">
      <Title text="Not found" />
      <h1>{TITLES[what]}</h1>
      <p>
        {what === "order"
          ? "The link may be incomplete, or the order belongs to another account."
          : "The link may be incomplete or out of date."}
      </p>
      <Link className="button" to="/">
        See tickets on sale
      </Link>
    </div>
  );
}
