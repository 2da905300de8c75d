"""Writes all that must agree, from mesh.yaml, models/*/values.yaml and istio/services.yaml.

    istio/                                            the mesh; its README lists the objects
    deploy/charts/predict-mesh/rendered-values.yaml   helm -f of the chart predict-mesh:
        access: {...}                       the access policy, as contract/access.py reads it
        models: [{id, device, workers}]     device auto: some of its Tritons are of another one
        monitoring: {alerts: {hosts: [...]}}    where the receivers of alerts may be
    deploy/charts/model/models/<id>.yaml              helm -f of the chart model, as model-<id>:
        model: sentiment
        device: cpu                         or gpu
        tritons: {least: 1, most: 4}        0 and 0 where servers of others have all versions
        workers: {least: 0, most: 8}
        canary: 10                          percent of calls for the Tritons of the next image;
                                            0: there are none
        versions: {"12": {device: gpu}}     those with Tritons of their own
    and in both:
        aws: {region: eu-central-1}
        bus: {prefix: predict}
        features: {bucket: predict-features}
        networkPolicy: {foreignPorts: [9000]}           of the servers of others
        database: {host: db.example.com, port: 5432}    where it is not in the cluster

What the objects of istio/ ask of the charts':

- Each pod has the label `app`, with the name of its service in istio/services.yaml (`gateway`,
  `triton`, `worker`), and runs as the service account of its name there.
- Each pod of Triton has the label `track`: `stable`, `canary`, or `version-12` where the version 12
  has Tritons of its own.
- Ports of services are named after what is spoken: `grpc` (8080 of gateway, 8001 of triton),
  `http-metrics`, `http` and `tcp-postgres`.
- All Tritons of a model stand behind the headless service `triton`. What balances over the tracks
  is a service of the mesh alone, `triton-balanced`, which istio/ brings along.
"""
