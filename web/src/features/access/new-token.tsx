// The form for a new token.

import { type FormEvent, useState } from "react";
import { Button } from "~/shared/button";
import type { NewToken, Role } from "./access-api";

const DAY_S = 24 * 3_600;

const ROLES: readonly { value: Role; label: string }[] = [
  { value: "viewer", label: "Viewer: reads" },
  { value: "reporter", label: "Reporter: reads and reports" },
  { value: "admin", label: "Admin: everything in this tenant" },
];

const LIFETIMES: readonly { days: number; label: string }[] = [
  { days: 7, label: "7 days" },
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
  { days: 365, label: "a year" },
  { days: 0, label: "for ever" },
];

const FIELD_CLASS = "mt-1 h-9 w-full rounded-md border border-edge bg-surface px-2.5 text-cell";

/** Asks what a new token is to allow. */
export function NewTokenForm({
  envs,
  busy,
  first,
  onMake,
}: {
  /** The tenant's envs, to choose from. */
  envs: readonly string[];
  busy: boolean;
  /** It may be the first, after which nobody gets in without one: then it is an admin's unless said. */
  first: boolean;
  onMake: (token: NewToken) => void;
}) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>(first ? "admin" : "viewer");
  const [days, setDays] = useState(90);
  const [only, setOnly] = useState<ReadonlySet<string>>(new Set());
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onMake({ name: name.trim(), role, envs: [...only], expiresInS: days === 0 ? null : days * DAY_S });
  };
  const toggle = (env: string) => {
    const next = new Set(only);
    if (!next.delete(env)) next.add(env);
    setOnly(next);
  };
  return (
    <form onSubmit={submit} className="grid gap-3 border-b border-line p-4 sm:grid-cols-3">
      <label className="text-cell font-medium">
        Name
        <input
          value={name}
          maxLength={100}
          placeholder="whose, or what for"
          onChange={(event) => setName(event.target.value)}
          className={FIELD_CLASS}
        />
      </label>
      <label className="text-cell font-medium">
        Role
        <select
          value={role}
          onChange={(event) =>
            setRole(ROLES.find(({ value }) => value === event.target.value)?.value ?? "viewer")
          }
          className={FIELD_CLASS}
        >
          {ROLES.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label className="text-cell font-medium">
        Valid
        <select
          value={days}
          onChange={(event) => setDays(Number(event.target.value))}
          className={FIELD_CLASS}
        >
          {LIFETIMES.map(({ days: value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      {envs.length > 0 && (
        <fieldset className="text-cell sm:col-span-2">
          <legend className="font-medium">Only in these environments (none chosen: in all)</legend>
          <div className="mt-1 flex flex-wrap gap-x-4 gap-y-1">
            {envs.map((env) => (
              <label key={env} className="flex items-center gap-1.5">
                <input type="checkbox" checked={only.has(env)} onChange={() => toggle(env)} />
                {env}
              </label>
            ))}
          </div>
        </fieldset>
      )}
      <div className="flex items-end sm:col-start-3 sm:justify-end">
        <Button type="submit" weight="primary" disabled={busy} className="h-9">
          Make the token
        </Button>
      </div>
    </form>
  );
}
