// The one place where announce.ts is shown. It is always in the document, since a live region that appears
// together with its text is not read out.

import { clsx } from "clsx";
import { useSaid } from "~/shared/announce";

/** The status line at the foot of the page. */
export function StatusLine() {
  const said = useSaid();
  const alert = said?.tone === "alert";
  return (
    <div className="pointer-events-none fixed inset-x-0 bottom-5 z-50 flex justify-center px-4">
      <div role="status" aria-live="polite">
        {said && !alert && <Line key={said.id} text={said.text} />}
      </div>
      <div role="alert">{said && alert && <Line key={said.id} text={said.text} alert />}</div>
    </div>
  );
}

function Line({ text, alert = false }: { text: string; alert?: boolean }) {
  return (
    <p
      className={clsx(
        "rounded-lg px-3.5 py-2 text-cell font-medium shadow-float",
        alert ? "bg-failed-tint text-failed" : "bg-ink text-page",
      )}
    >
      {text}
    </p>
  );
}
