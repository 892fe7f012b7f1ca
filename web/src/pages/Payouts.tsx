import { Title } from "../components/Title";
import { Account } from "../payouts/Account";
import "./payouts.css";

export function Payouts() {
  return (
    <div className="payouts-page">
      <Title text="Get paid" />
      <h1>Get paid</h1>
      <Account />
    </div>
  );
}
