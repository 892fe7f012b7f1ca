/** Formats a decimal string in its currency. It is never converted to a number, so it is never rounded. */
export function formatPrice(price: string, currency: string, language?: string): string {
  const format = new Intl.NumberFormat(language, { style: "currency", currency: currency.toUpperCase() });
  return format.format(price as Intl.StringNumericLiteral);
}

/** Parses the input of a price field into the API's format; null if it is invalid. Accepts a decimal comma. */
export function parsePrice(input: string): string | null {
  const price = input.trim().replace(",", ".");
  return /^\d{1,6}(\.\d{1,2})?$/.test(price) && /[1-9]/.test(price) ? price : null;
}
