import { serve } from "../node/worker/serve.ts";
import { loadCommand } from "./load.ts";
import { rehearseRelay } from "./rehearsal.ts";

serve({ load: loadCommand, rehearse: rehearseRelay });
