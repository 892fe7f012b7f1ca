import { parsePrice } from "./price";
import { codePointCount, hasControlCharacters } from "./text";

const MAX_TITLE = 200;

/** The fields of a ticket that its seller enters. */
export interface TicketContent {
  title: string;
  price: string;
}

export type FieldName = keyof TicketContent;

/** The error message of each invalid field, with lengths counted as the server counts them. */
export function validate({ title, price }: TicketContent): Record<FieldName, string | undefined> {
  const length = codePointCount(title.trim());
  return {
    title:
      length === 0
        ? "Enter a title."
        : length > MAX_TITLE
          ? `Use at most ${MAX_TITLE} characters. This title has ${length}.`
          : hasControlCharacters(title)
            ? "Remove invisible control characters. Typing the title again removes them."
            : undefined,
    price:
      parsePrice(price) === null
        ? "Enter a price in digits, for example 12.50. The maximum is 999999.99."
        : undefined,
  };
}

/** A field that was changed elsewhere while its form was open. */
export interface EditConflict {
  field: FieldName;
  /** The value that the ticket has now. */
  now: string;
  /** The value in the form: entered by the seller, or the one from before the change. */
  yours: string;
  /** The seller has not edited the field here, so the form can show the new value without losing input. */
  isUntouched: boolean;
}

/** The conflicts between the form's input and a ticket that has changed from `base` to `now` since the form was opened. */
export function findConflicts(input: TicketContent, base: TicketContent, now: TicketContent): EditConflict[] {
  return (["title", "price"] as const).flatMap((field) => {
    const isSame = now[field] === base[field] || normalise(field, input) === normalise(field, now);
    const isUntouched = normalise(field, input) === normalise(field, base);
    return isSame ? [] : [{ field, now: now[field], yours: input[field], isUntouched }];
  });
}

/** A field's value in the form in which the server would store it. */
function normalise(field: FieldName, content: TicketContent): string {
  const text = content[field].trim();
  return field === "price" ? (parsePrice(text) ?? text) : text;
}
