import { serverNow } from "../api/client";
import { codeOf, fieldError } from "../api/errors";
import { Field } from "../components/Field";
import { Form } from "../components/Form";
import { ErrorNotice, Notice } from "../components/states";
import { daysError } from "../rules/earnings";
import { saveFile } from "../rules/file";
import { useEarningsFile } from "./queries";

/** Lets a seller download the earnings of some days, at first of this year, for a spreadsheet. */
export function Download() {
  const download = useEarningsFile();
  const today = new Date(serverNow()).toISOString().slice(0, 10);
  return (
    <details className="download">
      <summary>Download as CSV</summary>
      <Form
        action="Download CSV"
        isPending={download.isPending}
        validate={({ from = "", to = "" }) => daysError({ from, to })}
        onSend={({ from = "", to = "" }) =>
          download.mutate({ from, to }, { onSuccess: (file) => saveFile(`earnings-${from}-${to}.csv`, file) })
        }
        notice={download.isError && <DownloadError error={download.error} />}
      >
        {(errors) => (
          <div className="pair">
            <Field
              label="From"
              name="from"
              type="date"
              defaultValue={`${today.slice(0, 4)}-01-01`}
              error={errors.from ?? fieldError(download.error, "from")}
            />
            <Field
              label="To"
              name="to"
              type="date"
              defaultValue={today}
              error={errors.to ?? fieldError(download.error, "to")}
            />
          </div>
        )}
      </Form>
    </details>
  );
}

function DownloadError({ error }: { error: unknown }) {
  switch (codeOf(error)) {
    case "export_too_large":
      return (
        <Notice tone="error" title="There are too many sales for one file.">
          <p>Choose fewer days, and download the others after them.</p>
        </Notice>
      );
    case "invalid_request":
      return <Notice tone="error" title="Please correct the marked fields." />;
    default:
      return <ErrorNotice error={error} />;
  }
}
