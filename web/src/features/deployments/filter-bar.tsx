// The filters: a search box and four facets. A facet is its own chip once it narrows something, so that choosing
// moves nothing below. All of it is written into the address; what it means is in search.ts.

import { type DeploymentsScope, STATUSES, type Status } from "@shipboard/client";
import { useCounts, useDeploymentsStore, useWorkflowIds } from "@shipboard/client/react";
import { Tv } from "lucide-react";
import type { RefObject } from "react";
import { IconButton } from "~/shared/button";
import { formatNumber } from "~/shared/format";
import { Menu, MenuCheck } from "~/shared/menu";
import { SearchBox } from "~/shared/search-box";
import { lookOf } from "~/shared/status";
import { StatusIcon } from "~/shared/status-badge";
import { PeriodFacet } from "./facet-period";
import { ChipTrigger, FacetChip, PickFacet } from "./facets";
import { type BoardSearch, filterOf, statusesOf, toggleStatus, withField, withoutFilters } from "./search";
import { ViewsMenu } from "./views-menu";

/** The bar between the counters and the table. */
export function FilterBar({
  scope,
  search,
  onChange,
  searchBox,
}: {
  scope: DeploymentsScope;
  search: BoardSearch;
  onChange: (next: BoardSearch, how?: "push" | "replace") => void;
  searchBox: RefObject<HTMLInputElement | null>;
}) {
  const set = (field: keyof BoardSearch, value: string) => onChange(withField(search, field, value));
  const some = Object.keys(filterOf(search, 0)).length > 0;
  return (
    <search className="flex flex-wrap items-center gap-2 py-3 max-sm:gap-1.5">
      <SearchBox
        label="Search deployments"
        placeholder="Version, commit, message, id"
        value={search.q ?? ""}
        onChange={(q) => onChange(withField(search, "q", q), "replace")}
        box={searchBox}
        hint="/"
        className="max-sm:w-full sm:w-64"
      />
      <StatusFacet scope={scope} search={search} onChange={onChange} />
      <WorkflowFacet
        scope={scope}
        value={search.workflow ?? ""}
        onChange={(value) => set("workflow", value)}
      />
      <ActorFacet scope={scope} value={search.actor ?? ""} onChange={(value) => set("actor", value)} />
      <PeriodFacet search={search} onChange={onChange} />
      {some && (
        <button
          type="button"
          onClick={() => onChange(withoutFilters(search))}
          className="h-8 rounded-md px-2 text-cell font-medium text-accent hover:bg-accent-tint"
        >
          Clear
        </button>
      )}
      <div className="flex items-center gap-1 sm:ml-auto">
        <ViewsMenu search={search} onChange={onChange} />
        <IconButton
          label="Show on a wall"
          data-tip="Show on a wall (f)"
          className="size-8 max-md:hidden"
          onClick={() => set("wall", "1")}
        >
          <Tv size={16} aria-hidden="true" />
        </IconButton>
      </div>
    </search>
  );
}

function StatusFacet({
  scope,
  search,
  onChange,
}: {
  scope: DeploymentsScope;
  search: BoardSearch;
  onChange: (next: BoardSearch) => void;
}) {
  const chosen = statusesOf(search);
  const label = chosen.map((status) => lookOf(status).word).join(", ");
  return (
    <FacetChip name="Status" value={label} onClear={() => onChange(withField(search, "status", ""))}>
      <Menu trigger={<ChipTrigger name="Status" value={label} />}>
        {STATUSES.map((status) => (
          <StatusChoice
            key={status}
            scope={scope}
            status={status}
            checked={chosen.includes(status)}
            onToggle={() => onChange(toggleStatus(search, status))}
          />
        ))}
      </Menu>
    </FacetChip>
  );
}

function StatusChoice({
  scope,
  status,
  checked,
  onToggle,
}: {
  scope: DeploymentsScope;
  status: Status;
  checked: boolean;
  onToggle: () => void;
}) {
  const counts = useCounts(scope);
  return (
    <MenuCheck checked={checked} onChange={onToggle}>
      <StatusIcon status={status} />
      <span className="grow">{lookOf(status).word}</span>
      <span className="pl-6 text-faint">{counts && formatNumber(counts.deployments[status])}</span>
    </MenuCheck>
  );
}

interface OneOf {
  scope: DeploymentsScope;
  value: string;
  onChange: (value: string) => void;
}

function WorkflowFacet({ scope, value, onChange }: OneOf) {
  const ids = useWorkflowIds(scope);
  return <PickFacet name="Workflow" value={value} options={() => [...ids].sort()} onChange={onChange} />;
}

/** Who may be chosen is who stands in the loaded rows; anybody else can be typed. */
function ActorFacet({ scope, value, onChange }: OneOf) {
  const store = useDeploymentsStore(scope);
  const options = () => {
    const actors = new Set<string>();
    for (const row of store.get().deployments.values()) if (row.actor) actors.add(row.actor);
    return [...actors].sort((a, b) => a.localeCompare(b));
  };
  return <PickFacet name="By" value={value} options={options} onChange={onChange} free />;
}
