import { parsePrice } from "./price";
import { lengthOf } from "./text";

const LONGEST_TITLE = 200;

/** What a seller types of a ticket. */
export interface Content {
  title: string;
  price: string;
}

export type Field = keyof Content;

/** What is wrong with it, counted as the server counts it. */
export function problemsOf({ title, price }: Content): Record<Field, string | undefined> {
  const length = lengthOf(title.trim());
  return {
    title:
      length === 0
        ? "Say what the ticket is for."
        : length > LONGEST_TITLE
          ? `At most ${LONGEST_TITLE} characters fit. This has ${length}.`
          : undefined,
    price:
      parsePrice(price) === null ? "Give a price in digits, for example 12.50, up to 999999.99." : undefined,
  };
}

/** A field that was changed elsewhere while its form was open. */
export interface Clash {
  field: Field;
  /** What it is now. */
  now: string;
  /** What the form has: typed in, or from before the change. */
  yours: string;
  /** Nothing was typed into it here, so nothing is lost by taking what it is now. */
  isUntouched: boolean;
}

/** Where a ticket has become something else than it was when a form with `typed` in it began. */
export function clashes(typed: Content, base: Content, now: Content): Clash[] {
  return (["title", "price"] as const).flatMap((field) => {
    const isSame = now[field] === base[field] || plain(field, typed) === plain(field, now);
    const isUntouched = plain(field, typed) === plain(field, base);
    return isSame ? [] : [{ field, now: now[field], yours: typed[field], isUntouched }];
  });
}

/** A field's text as the server would keep it. */
function plain(field: Field, content: Content): string {
  const text = content[field].trim();
  return field === "price" ? (parsePrice(text) ?? text) : text;
}
