const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The time at which an id of the API was made, in milliseconds: the first 48 bits of a ULID. */
export function timeOfId(id: string): number {
  return Array.from(id.slice(0, 10)).reduce((time, digit) => time * 32 + ALPHABET.indexOf(digit), 0);
}
