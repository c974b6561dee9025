import { serve } from "../node/worker/worker.ts";
import { loadCommand } from "./load.ts";
import { rehearseRelay } from "./rehearsal.ts";

serve({ load: loadCommand, rehearse: rehearseRelay });
