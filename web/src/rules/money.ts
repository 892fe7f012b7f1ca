/** Amounts as integers in the smallest unit of their currency, so that they can be added without rounding. */

/** The number of decimals of a decimal string. Amounts of the API have as many as their currency. */
export function decimalPlaces(amount: string): number {
  return amount.split(".")[1]?.length ?? 0;
}

/** The decimal string as an integer with that many decimals, which are at least its own. */
export function toMinorUnits(amount: string, decimals: number): bigint {
  const [whole = "", fraction = ""] = amount.split(".");
  return BigInt(whole + fraction.padEnd(decimals, "0"));
}

export function fromMinorUnits(amount: bigint, decimals: number): string {
  const digits = String(amount).padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  return decimals === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** The sum of amounts in one currency. */
export function sumOf(amounts: string[]): string {
  const decimals = Math.max(0, ...amounts.map(decimalPlaces));
  return fromMinorUnits(
    amounts.reduce((sum, amount) => sum + toMinorUnits(amount, decimals), 0n),
    decimals,
  );
}
