// What the lists of this page have in common: a heading, a table that scrolls by itself on a narrow screen, and a
// button that asks once more before it takes something away.

import { type ReactNode, useEffect, useState } from "react";
import { Button } from "~/shared/button";
import { Surface } from "~/shared/surface";

/** How long the second press may take. */
const SURE_MS = 4_000;

/** The head of the column with buttons: it needs no word but for those who hear the page. */
export const ACTION = "Action";

/** A part of the page. */
export function Section({
  title,
  about,
  action,
  children,
}: {
  title: string;
  about: string;
  action?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section aria-label={title} className="mb-8">
      <div className="mb-2 flex flex-wrap items-end justify-between gap-2">
        <div>
          <h2 className="text-base font-semibold">{title}</h2>
          <p className="text-cell text-soft">{about}</p>
        </div>
        {action !== undefined && <div className="flex flex-wrap gap-2">{action}</div>}
      </div>
      <Surface>{children}</Surface>
    </section>
  );
}

/** A table; `none` stands where rows would. */
export function Table({
  label,
  heads,
  none,
  children,
}: {
  label: string;
  heads: readonly string[];
  /** Said if there is no row. */
  none: string;
  children: readonly ReactNode[];
}) {
  if (children.length === 0) return <p className="px-4 py-6 text-center text-soft">{none}</p>;
  return (
    <section aria-label={`${label}, table`} tabIndex={0} className="relative overflow-x-auto rounded-xl">
      <table className="w-full text-left text-cell">
        <thead>
          <tr className="border-b border-line text-xs text-faint">
            {heads.map((head) => (
              <th key={head} scope="col" className="px-4 py-2 font-medium whitespace-nowrap">
                {head === ACTION ? <span className="sr-only">{head}</span> : head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

/** A row; what holds no more is faint. */
export function Row({ faint = false, children }: { faint?: boolean; children: ReactNode }) {
  return <tr className={`border-b border-line last:border-0 ${faint ? "text-faint" : ""}`}>{children}</tr>;
}

/** A cell. */
export function Cell({ children, mono = false }: { children: ReactNode; mono?: boolean }) {
  return <td className={`px-4 py-2 whitespace-nowrap ${mono ? "font-mono text-xs" : ""}`}>{children}</td>;
}

/** Takes something away at the second press. */
export function TakeAway({ word, what, onTake }: { word: string; what: string; onTake: () => void }) {
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    if (!asked) return;
    const timer = setTimeout(() => setAsked(false), SURE_MS);
    return () => clearTimeout(timer);
  }, [asked]);
  return (
    <Button
      weight={asked ? "plain" : "ghost"}
      className={asked ? "text-failed" : undefined}
      aria-label={asked ? `Really: ${word} ${what}` : `${word} ${what}`}
      onClick={() => {
        setAsked(!asked);
        if (asked) onTake();
      }}
    >
      {asked ? "Really?" : word}
    </Button>
  );
}
