"""All that knows HTTP and belongs to no single flow: endpoints, problem documents, cookies, origins, logs."""
