import { Link } from "react-router";
import { Title } from "../components/Title";

/** Shown after a user has deleted their account. */
export function Deleted() {
  return (
    <div className="empty">
      <Title text="Account deleted" />
      <h1>Your account is deleted</h1>
      <p>
        You are signed out. Your tickets are taken off sale within minutes; then your address is free again.
      </p>
      <Link className="button" to="/">
        See tickets on sale
      </Link>
    </div>
  );
}
