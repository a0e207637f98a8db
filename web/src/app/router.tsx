// The pages and their addresses. Every page is a chunk of its own; the query string is plain text, field by field,
// so that it reads well in a message to a colleague. No loaders: what is live comes by the stream.

import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from "@tanstack/react-router";
import { CrashPage, MissingPage } from "~/routes/problems";
import { OpenBanner } from "~/shared/open-banner";

function Root() {
  return (
    <>
      <OpenBanner />
      <Outlet />
    </>
  );
}

const loadHomePage = () => import("~/routes/home");
const loadSignInPage = () => import("~/routes/sign-in");
const loadDeploymentsPage = () => import("~/routes/deployments");
const loadDeploymentPage = () => import("~/routes/deployment");
const loadWorkflowsPage = () => import("~/routes/workflows");
const loadAccessPage = () => import("~/routes/access");
const loadEnvironmentsPage = () => import("~/routes/environments");

const text = (raw: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(raw).filter((field): field is [string, string] => typeof field[1] === "string"),
  );

const root = createRootRoute({
  component: Root,
  notFoundComponent: MissingPage,
  errorComponent: CrashPage,
});

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: text,
  component: lazyRouteComponent(loadHomePage, "HomePage"),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: text,
  component: lazyRouteComponent(loadSignInPage, "SignInPage"),
});

const access = createRoute({
  getParentRoute: () => root,
  path: "/access/$tenant",
  validateSearch: text,
  component: lazyRouteComponent(loadAccessPage, "AccessPage"),
});

const environments = createRoute({
  getParentRoute: () => root,
  path: "/t/$tenant",
  validateSearch: text,
  component: lazyRouteComponent(loadEnvironmentsPage, "EnvironmentsPage"),
});

const board = createRoute({
  getParentRoute: () => root,
  path: "/t/$tenant/$env",
  validateSearch: text,
  component: lazyRouteComponent(loadDeploymentsPage, "DeploymentsPage"),
});

const details = createRoute({
  getParentRoute: () => root,
  path: "/t/$tenant/$env/d/$id",
  validateSearch: text,
  component: lazyRouteComponent(loadDeploymentPage, "DeploymentPage"),
});

const workflows = createRoute({
  getParentRoute: () => root,
  path: "/t/$tenant/$env/workflows",
  validateSearch: text,
  component: lazyRouteComponent(loadWorkflowsPage, "WorkflowsPage"),
});

// The condition is a constant of the build: what is delivered has neither the page nor its chunk.
const styleguide = import.meta.env.DEV
  ? [
      createRoute({
        getParentRoute: () => root,
        path: "/styleguide",
        component: lazyRouteComponent(() => import("~/routes/styleguide"), "StyleguidePage"),
      }),
    ]
  : [];

const routeTree = root.addChildren([
  home,
  signIn,
  access,
  environments,
  board,
  details,
  workflows,
  ...styleguide,
]);

/** The query string as text, without a question mark if it is empty. */
function stringifySearch(search: Record<string, unknown>): string {
  const query = new URLSearchParams(text(search)).toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return query && `?${query}`;
}

/** Fetches the chunks of the board's pages, so that one can still go from one to another without a server. */
export function preloadPages(): void {
  const failed = () => undefined;
  for (const load of [loadDeploymentsPage, loadDeploymentPage, loadWorkflowsPage, loadEnvironmentsPage])
    load().catch(failed);
}

/** The app's router. */
export function createAppRouter() {
  return createRouter({
    routeTree,
    parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
    stringifySearch,
    scrollRestoration: true,
    defaultPreload: false,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
