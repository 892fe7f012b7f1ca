import { useNavigate } from "react-router";
import { useCreateTicket } from "../api/mutations";
import { Title } from "../components/Title";
import { useDraft } from "../components/useDraft";
import { TicketForm } from "./TicketForm";

export function Sell() {
  const navigate = useNavigate();
  const create = useCreateTicket(useDraft("sell-idempotency-key"));
  const draft = useDraft("sell");
  return (
    <div className="narrow">
      <Title text="Sell a ticket" />
      <h1>Sell a ticket</h1>
      <TicketForm
        draft={draft}
        action="Put on sale"
        isPending={create.isPending}
        error={create.error}
        onSave={(ticket) => create.mutate(ticket, { onSuccess: ({ id }) => void navigate(`/tickets/${id}`) })}
      />
    </div>
  );
}
