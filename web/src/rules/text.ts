/** How long a text is to the server: in code points, so that an emoji is one character and not two. */
export function lengthOf(text: string): number {
  return Array.from(text).length;
}
