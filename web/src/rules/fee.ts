import type { Fee } from "../api/types";
import { decimalPlaces, fromMinorUnits, toMinorUnits } from "./money";
import { formatPrice, parsePrice } from "./price";

/** What of a price is the fee, and what its seller gets, as decimal strings. */
export interface Earnings {
  price: string;
  fee: string;
  net: string;
}

/**
 * The fee for a price: the percentage and the fixed part, rounded once, half to even, and never more than the price, as
 * `shared/money.py` computes it. `price` is the input of a price field. null if it is not a price in the fee's currency.
 */
export function earningsOf(input: string, { percent, fixed }: Fee): Earnings | null {
  const decimals = decimalPlaces(fixed);
  const price = parsePrice(input);
  if (price === null || decimalPlaces(price) > decimals) return null;
  const gross = toMinorUnits(price, decimals);
  const rate = toMinorUnits(percent, decimalPlaces(percent));
  const hundred = 100n * 10n ** BigInt(decimalPlaces(percent));
  const rounded = divideHalfToEven(gross * rate + toMinorUnits(fixed, decimals) * hundred, hundred);
  // biome-ignore lint/complexity/useMathMinMax: not for bigint
  const fee = rounded < gross ? rounded : gross;
  return {
    price: fromMinorUnits(gross, decimals),
    fee: fromMinorUnits(fee, decimals),
    net: fromMinorUnits(gross - fee, decimals),
  };
}

/** What the seller of a ticket gets for the price in a form, in words; empty if it is not a price. */
export function describeEarnings(input: string, fee: Fee, language?: string): string {
  const earnings = earningsOf(input, fee);
  if (earnings === null) return "";
  const [price, deducted, net] = [earnings.price, earnings.fee, earnings.net].map((amount) =>
    formatPrice(amount, fee.currency, language),
  );
  return /[1-9]/.test(earnings.fee)
    ? `You get ${net} (${price} less a fee of ${deducted}).`
    : `You get ${net}. There is no fee.`;
}

function divideHalfToEven(dividend: bigint, divisor: bigint): bigint {
  const [quotient, twice] = [dividend / divisor, (dividend % divisor) * 2n];
  const isUp = twice > divisor || (twice === divisor && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}
