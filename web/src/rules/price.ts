/** A decimal string in its currency, in the reader's language; no number in between, so no rounding. */
export function asPrice(price: string, currency: string, language?: string): string {
  const format = new Intl.NumberFormat(language, { style: "currency", currency: currency.toUpperCase() });
  return format.format(price as Intl.StringNumericLiteral);
}

/** What somebody typed as a price, as the API takes it; null if it is none. A comma may stand for the point. */
export function parsePrice(typed: string): string | null {
  const plain = typed.trim().replace(",", ".");
  return /^\d{1,6}(\.\d{1,2})?$/.test(plain) && /[1-9]/.test(plain) ? plain : null;
}
