import { expect, test } from "vitest";
import { searchTickets, ticketNumber } from "./ticket";

const tickets = ["Café Müller, row 1", "Nina Simone tribute", "Cup final"].map((title) => ({ title }));
const found = (search: string) => searchTickets(tickets, search).map(({ title }) => title);

test("a search matches all words, ignoring case and accents", () => {
  expect(found("cafe MULLER")).toEqual(["Café Müller, row 1"]);
  expect(found("tribute nina")).toEqual(["Nina Simone tribute"]);
  expect(found("nina final")).toEqual([]);
});

test("an empty search matches all tickets", () => {
  expect(found("  ")).toHaveLength(3);
});

test("a ticket's number is the end of its id", () => {
  expect(ticketNumber("01KARTQ2M8Z6V3N4J5X7C9E1F2")).toBe("No. C9E1F2");
});
