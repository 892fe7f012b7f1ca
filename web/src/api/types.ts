import type { components } from "./schema";

type Schemas = components["schemas"];

export type ChangeEmail = Schemas["ChangeEmail"];
export type ChangePassword = Schemas["ChangePassword"];
export type CurrentUser = Schemas["CurrentUser"];
export type Earning = Schemas["Payout"];
export type EarningList = Schemas["PayoutPage"];
export type Export = Schemas["Export"];
export type Fee = Schemas["Fee"];
export type Order = Schemas["Order"];
export type OrderList = Schemas["OrderList"];
export type OwnTicket = Schemas["OwnTicket"];
export type OwnTicketList = Schemas["OwnTicketList"];
export type Payment = Schemas["Payment"];
export type PayoutAccount = Schemas["Account"];
export type Problem = Schemas["Problem"];
export type Refund = Schemas["Refund"];
export type ResetPassword = Schemas["ResetPassword"];
export type Session = Schemas["Session"];
export type SignIn = Schemas["SignIn"];
export type Ticket = Schemas["Ticket"];
export type TicketEdit = Schemas["TicketEdit"];
export type TicketIn = Schemas["TicketIn"];
export type TicketStatus = Schemas["TicketStatus"];
export type User = Schemas["User"];
