// The React entry: the provider and the hooks. The stores behind them know nothing of React.

export type { HeldOrder } from "../order";
export { ShipboardProvider, useClient } from "./context";
export {
  type PagingControls,
  useCounts,
  useDeployment,
  useDeploymentIds,
  useDeploymentsStore,
  useDetails,
  useHeldIds,
  useLink,
  useLoaded,
  useLog,
  useNow,
  usePaging,
  useStale,
  useWorkflow,
  useWorkflowIds,
} from "./hooks";
