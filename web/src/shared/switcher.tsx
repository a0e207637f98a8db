// The choice of tenant and environment in the header. Both lists are read once a minute at most, and when the
// menu opens; a board that is looked at needs neither.

import { useClient } from "@shipboard/client/react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { ChevronDown } from "lucide-react";
import type { ComponentProps } from "react";
import { Menu, MenuChoices } from "~/shared/menu";
import { type Board, boardPath, environmentsPath, workflowsPath } from "~/shared/paths";

const STALE_MS = 60_000;

/** The environments of a tenant, in their order; read again every so often, if an interval is given. */
export function useEnvs(tenant: string, againMs: number | false = false) {
  const { api } = useClient();
  return useQuery({
    queryKey: ["envs", tenant],
    queryFn: ({ signal }) => api.envs(tenant, signal),
    staleTime: STALE_MS,
    refetchInterval: againMs,
    placeholderData: keepPreviousData,
    select: (envs) => [...envs].sort((a, b) => a.position - b.position || a.id.localeCompare(b.id)),
  });
}

/** The tenants that can be seen. */
export function useTenants() {
  const { api } = useClient();
  return useQuery({
    queryKey: ["tenants"],
    queryFn: ({ signal }) => api.tenants(signal),
    staleTime: STALE_MS,
  });
}

const TRIGGER_CLASS =
  "flex h-8 min-w-0 items-center gap-1 rounded-md px-2 font-medium hover:bg-quiet-tint data-[state=open]:bg-quiet-tint";

function Trigger({ what, name, ...rest }: ComponentProps<"button"> & { what: string; name: string }) {
  return (
    <button type="button" {...rest} className={TRIGGER_CLASS} aria-label={`${what}: ${name}`}>
      <span className="truncate">{name}</span>
      <ChevronDown size={14} className="shrink-0 text-faint" aria-hidden="true" />
    </button>
  );
}

/** The two menus. On the page of all environments the second has none chosen. */
export function Switcher({
  board,
  page,
}: {
  board: Board;
  page: "deployments" | "workflows" | "environments";
}) {
  const router = useRouter();
  const tenants = useTenants().data ?? [];
  const envs = useEnvs(board.tenant).data ?? [];
  const { api } = useClient();
  const go = (next: Board) =>
    router.history.push(page === "workflows" ? workflowsPath(next) : boardPath(next));
  const all = page === "environments";
  const toTenant = (tenant: string) => {
    if (all) {
      router.history.push(environmentsPath(tenant));
      return;
    }
    // The same env there if it has one, else its first.
    api.envs(tenant).then(
      (there) => {
        const env = there.find((one) => one.id === board.env) ?? there[0];
        go({ tenant, env: env?.id ?? board.env });
      },
      () => go({ tenant, env: board.env }),
    );
  };
  const choices = (items: readonly { id: string; name: string }[], own: string) => {
    const listed = items.some((item) => item.id === own) ? items : [{ id: own, name: own }, ...items];
    return listed.map((item) => ({ value: item.id, label: item.name || item.id }));
  };
  const nameOf = (items: readonly { id: string; name: string }[], id: string) =>
    items.find((item) => item.id === id)?.name || id;
  return (
    <nav aria-label="Board" className="flex min-w-0 items-center">
      <Menu trigger={<Trigger what="Tenant" name={nameOf(tenants, board.tenant)} />}>
        <MenuChoices
          label="Tenant"
          value={board.tenant}
          choices={choices(tenants, board.tenant)}
          onChange={toTenant}
        />
      </Menu>
      <span aria-hidden="true" className="text-edge">
        /
      </span>
      <Menu trigger={<Trigger what="Environment" name={all ? "All" : nameOf(envs, board.env)} />}>
        <MenuChoices
          label="Environment"
          value={all ? null : board.env}
          choices={choices(envs, board.env)}
          onChange={(env) => go({ tenant: board.tenant, env })}
        />
      </Menu>
    </nav>
  );
}
