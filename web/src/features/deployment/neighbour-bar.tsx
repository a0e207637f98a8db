// The way back to the list and to the deployments beside this one. It stays in the document while one goes from
// one to the next, so that the focus stays where it is; the filter travels in the address.

import type { DetailsScope, Filter } from "@shipboard/client";
import { useRouter } from "@tanstack/react-router";
import { clsx } from "clsx";
import { ArrowLeft, ChevronDown, ChevronUp, type LucideIcon } from "lucide-react";
import { buttonClass } from "~/shared/button";
import { formatNumber } from "~/shared/format";
import { useKeys } from "~/shared/keys";
import { boardPath, deploymentPath } from "~/shared/paths";
import { RowLink } from "~/shared/row-link";
import { useNeighbours } from "./neighbours";

/** The bar above a deployment's page. */
export function NeighbourBar({
  scope,
  filter,
  search,
}: {
  scope: DetailsScope;
  filter: Filter;
  search: string;
}) {
  const router = useRouter();
  const { newer, older, position } = useNeighbours(scope, filter);
  const hrefOf = (id: string | null | undefined) => (id ? deploymentPath(scope, id) + search : undefined);
  const go = (href: string | undefined) => () => {
    if (href !== undefined) router.history.push(href);
  };
  useKeys({ "[": go(hrefOf(newer)), "]": go(hrefOf(older)) });
  return (
    <nav
      aria-label="Neighbours"
      className="mx-auto mb-2 flex h-8 max-w-[84rem] items-center gap-2 text-cell text-faint"
    >
      <RowLink
        href={boardPath(scope) + search}
        className="-ml-1 flex items-center gap-1.5 rounded px-1 py-1 hover:text-ink"
      >
        <ArrowLeft size={14} aria-hidden="true" />
        {search ? "Filtered deployments" : "Deployments"}
      </RowLink>
      <span data-number="" data-position="" className="ml-auto">
        {position &&
          `${formatNumber(position.index + 1)} of ${formatNumber(position.of)}${position.more ? "+" : ""}`}
      </span>
      <span className="-mr-2 flex">
        <Step href={hrefOf(newer)} label="Previous deployment, newer" keyName="[" icon={ChevronUp} />
        <Step href={hrefOf(older)} label="Next deployment, older" keyName="]" icon={ChevronDown} />
      </span>
    </nav>
  );
}

/** A step; without an address it is a link that leads nowhere, and keeps the focus it has. */
function Step({
  href,
  label,
  keyName,
  icon: Icon,
}: {
  href: string | undefined;
  label: string;
  keyName: string;
  icon: LucideIcon;
}) {
  return (
    <RowLink
      href={href}
      role="link"
      tabIndex={0}
      aria-label={label}
      aria-keyshortcuts={keyName}
      data-tip={`${label} (${keyName})`}
      {...(href === undefined && { "aria-disabled": true })}
      className={buttonClass("ghost", clsx("px-2!", href === undefined && "opacity-40 hover:bg-transparent"))}
    >
      <Icon size={16} aria-hidden="true" />
    </RowLink>
  );
}
