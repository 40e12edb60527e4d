"""All tables of a schema by dlt's sql_database, merged by their keys and read on from their cursor."""

import os

import dlt
from dlt.sources.sql_database import sql_database

source = sql_database(os.environ["SOURCE"].replace("postgres://", "postgresql+psycopg2://"), schema="public", backend="connectorx", chunk_size=100_000)
for resource in source.resources.values():
    resource.apply_hints(
        incremental=dlt.sources.incremental("updated_at"), primary_key="id", write_disposition="merge"
    )
pipeline = dlt.pipeline(
    "peers",
    pipelines_dir=os.environ["FOLDER"],
    destination=dlt.destinations.postgres(os.environ["TARGET"].replace("postgres://", "postgresql://")),
    dataset_name="raw",
)
pipeline.run(source, loader_file_format="csv")
